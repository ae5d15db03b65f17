def endless():
    return endless()


rule = endless()
