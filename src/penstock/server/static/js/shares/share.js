// The page of a link to fetch something by. It works without this; here times become the reader's own.

import { copyBy } from "../copy.js";
import { byId } from "../dom.js";
import { showMoment } from "./moment.js";

showMoment();
byId("share-copy").hidden = false;
byId("share-copy").addEventListener("click", ({ currentTarget }) => copyBy(currentTarget, byId("share-curl")));
