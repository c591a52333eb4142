"""Language-model pretraining and ULMFiT fine-tuning, on Lightning."""
