"""A schema registry as a source, by the REST interface of Confluent's, or by the compacted topic that it keeps its schemas in."""
