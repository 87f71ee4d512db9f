// Every page: htmx, the live stream, ages that tick, keys, confirmations. Works without it: forms and links are plain.

import "htmx.org";
import { startAges } from "./ages.js";
import { startCopying } from "./copying.js";
import { startDialogs } from "./dialogs.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startMenus } from "./menus.js";
import { startPresence } from "./presence.js";
import { startSound } from "./sound.js";
import { startSpace } from "./space.js";

startAges();
startCopying();
startDialogs();
startKeys();
startMenus();
startPresence();
startSound();
startSpace();
startLive();
