"""What is exported says what the torch modules say."""
