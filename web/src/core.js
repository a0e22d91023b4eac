// The one script of the product. Everything here makes a page that already works
// quicker: links, forms and menus are native, and each module below only listens.
import { startNavigation } from "./navigation.js";
import { startForms } from "./forms.js";
import { startLive } from "./live.js";
import { startToasts } from "./toast.js";
import { startTimes } from "./times.js";
import { startTheme } from "./theme.js";
import { startFloating } from "./floating.js";
import { startKeys } from "./keys.js";
import { startPalette } from "./palette.js";
import "./grid.js";
import "./board.js";
import "./elements.js";
import "./apitry.js";
import "./passkey.js";

startTheme();
startNavigation();
startForms();
startToasts();
startFloating();
startPalette();
startKeys();
startTimes();
startLive();
