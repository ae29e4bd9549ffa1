// Ages: keeps "3 minutes ago" true while the panel is open.

import { all } from "./page.js";

const EVERY = 15000;
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];

function writeAges() {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  for (const age of all("time[data-age]")) {
    const seconds = Math.max(1, (Date.now() - Date.parse(age.dateTime)) / 1000);
    const [, unit, size] = STEPS.find(([limit]) => seconds < limit);
    age.textContent = words.format(-Math.floor(seconds / size), unit);
  }
}

setInterval(writeAges, EVERY);
