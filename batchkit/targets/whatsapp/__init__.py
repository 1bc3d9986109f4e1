"""WhatsApp: messages of a template, free text and media, one per call, through Meta's Cloud API.

    to = "whatsapp:106540352242922"       the phone number id; the token is the secret `whatsapp_token`
    map = {telephone = "to", prenom = "1", date = "2"}

    [target]
    template = "rappel_rdv"
    language = "fr"
    opt_out = "stop.csv"

A message can't be taken back and isn't known again: whoever may have got one is never sent it again by
itself. That an item is `done` means that WhatsApp has taken the message; whether it was delivered and read
comes later, by webhook. Its id is in the journal, and each message carries `RUN-ITEM` as its
`biz_opaque_callback_data`, which a webhook gets back.
"""
