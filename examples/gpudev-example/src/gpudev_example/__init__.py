"""The smallest plugin of gpudev, whole."""
