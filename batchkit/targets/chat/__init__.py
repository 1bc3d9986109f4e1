"""Text generation: a prompt per row, sent to any server that speaks OpenAI's chat completions.

to = "chat+https://api.example/v1"
key = ["siret"]

[target]
model = "small"
max_tokens = 300
min_length = 80

[fields.prompt]
template = "Décris en trois phrases {nom}, à {ville}."
"""
