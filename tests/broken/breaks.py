"""BREAKS: states in which a running installation is broken, by the kind of site that they need.

A row says how the break is made, in a real process, file, server or setting; what happens
meanwhile; and what `/readyz`, the log and `sync status` say of it. Whoever looks in another way is
run over the same rows.
"""

from tests.broken.inside import DELIVERIES, FILES
from tests.broken.outside import OUTSIDE
from tests.broken.servers import SERVERS
from tests.broken.starts import STARTS
from tests.broken.workers import WORKERS

ON_FILES = (*OUTSIDE, *DELIVERIES, *FILES)
ON_SERVERS = (*SERVERS, *WORKERS)
AT_START = STARTS
