"""Any REST API, by its description alone: reads, creates, updates and deletes items over HTTP and JSON.

to = "http+https://api.example/v1"
key = ["sku"]

[target]
headers = {Authorization = "Bearer {secret:shop_token}"}
fields = {price = "decimal", stock = "integer"}
read = {url = "/products?skus={keys}", many = 100, list = "products"}
create = {method = "POST", url = "/products", idempotency = "Idempotency-Key"}
update = {method = "PATCH", url = "/products/{sku}"}
delete = {method = "DELETE", url = "/products/{sku}"}
"""
