"""Readers: each kind of schema, turned into the one vocabulary of `reactor.model.schema`.

May know: the model. May not know: who asks, what is done with the answer, or where a file came from. Each reader refuses what it cannot
read with a `SchemaError` and guesses nothing; what is outside the vocabulary becomes a type of its own name, so that it is still compared.
"""
