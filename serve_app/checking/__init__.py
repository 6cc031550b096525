"""What `serve-app check` refuses, and the application builders with it."""
