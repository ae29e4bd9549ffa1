"""BREAKS: states in which a running installation is broken, by the kind of site that they need.

A row tells how to make the break, in a real process, file, server or setting; what happens
meanwhile; and the words of `/readyz`, the log and `sync status` about it. Other ways to look are
tested with the same rows.
"""

from tests.broken.inside import DELIVERIES, FILES
from tests.broken.outside import OUTSIDE
from tests.broken.servers import SERVERS
from tests.broken.starts import STARTS
from tests.broken.workers import WORKERS

ON_FILES = (*OUTSIDE, *DELIVERIES, *FILES)
ON_SERVERS = (*SERVERS, *WORKERS)
AT_START = STARTS
