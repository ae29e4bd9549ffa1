// The second script: everything that a first screen does without. `loader.js` loads it.

import "./ages.js";
import "./arrangement.js";
import "./clock.js";
import "./copying.js";
import "./news.js";
import "./rows.js";
import "./shortcuts.js";
import "./status.js";
import "./uncover.js";
