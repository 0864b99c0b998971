"""Every state of the step panel and of the gates, on a computer and on a phone, light and dark.

Each is reached on a walk of its own and looked at by the person whom it concerns.
"""
