"""The data plane: one connection per gateway replica and engine replica, for calls and tokens."""
