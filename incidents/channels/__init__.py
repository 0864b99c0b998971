"""Ways to reach people, one folder each; registered while the app loads."""

from erpops.registry import Registry
from incidents.channels.transport import Channel

channels: Registry[Channel] = Registry("channel")
