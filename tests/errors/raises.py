from optgen import tensors


def helper():
    return 1 / 0


theta, g = tensors("theta g")
helper()
