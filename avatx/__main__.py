"""`python -m avatx`."""

from avatx import dispatch

if __name__ == "__main__":
    dispatch.main()
