"""What runs inside a box: the SSH server, which is also the box's init.

Every box pays for what is imported here, so these modules load the standard library and asyncssh alone.
"""
