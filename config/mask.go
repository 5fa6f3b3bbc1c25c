package config

// Mask stands for a secret in what is printed. Read back, it is no value: the
// key counts as not set.
const Mask = "******"
