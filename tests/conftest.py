import signal

# Started by nohup or in the background, pytest and all that it starts would ignore ctrl-C, which
# some tests press.
signal.signal(signal.SIGINT, signal.default_int_handler)
