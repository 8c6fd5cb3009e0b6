/** The reading page: builds the room inside <main id="reading">. */

import "./reading.css";
import "./film.css";
import "./controls.css";
import "./panel.css";
import "./dialogs.css";
import "./lock.css";
import "./touch.css";
import "./serial.css";
import { Room } from "./room";

const root = document.querySelector<HTMLElement>("#reading");
const csrf = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
if (root) void new Room(root, csrf?.content ?? "").start();
