"""The AWD-LSTM encoder, its language-model and classifier heads, and their files."""
