"""`serve-app simulate`: a deployment's scaling, replayed over a trace, beside what others do."""
