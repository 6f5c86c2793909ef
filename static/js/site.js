// The entry point of all scripts. Every page works without them.

import { themeButton } from "./theme-button.js";
import { menu } from "./menu.js";
import { arrive, keepSent } from "./keep.js";
import { sayTold } from "./say.js";
import { enhance } from "./enhance.js";

themeButton(document.querySelector("[data-theme-button]"));
menu(document.querySelector("[data-menu]"));
sayTold();
arrive();
keepSent();
enhance(document);
