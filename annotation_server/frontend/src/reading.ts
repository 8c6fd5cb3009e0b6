/** The reading page: builds the room inside <main id="reading">. */

import "./reading.css";
import { Room } from "./room";

const root = document.querySelector<HTMLElement>("#reading");
const csrf = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
if (root) void new Room(root, csrf?.content ?? "").start();
