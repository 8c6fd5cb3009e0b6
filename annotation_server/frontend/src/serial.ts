/** The patient's films in a dialog: the one that is read on the left, another on the right, all in order of acquisition. */

import { Refused, type SerialFilm } from "./api";
import { radios } from "./controls";
import { command, h } from "./dom";
import { text } from "./messages";

type Fetch = (url: string) => Promise<Blob>;

/** `films` holds the present film and at least one other; `closes` says which key asks for the dialog, and ends it. */
export function serialDialog(films: readonly SerialFilm[], fetchFilm: Fetch, closes: (code: string) => boolean): HTMLDialogElement {
  const place = films.findIndex(({ order }) => order === "present");
  const others = films.filter((_, i) => i !== place);
  const pictures = new Pictures(fetchFilm);
  const [present, other] = [new Picture(pictures), new Picture(pictures)];
  const options = others.map((film, i) => ({
    value: film,
    label: text.serialFilm(film),
    description: text.serialPlace(i + 1, others.length, text.serialFilm(film)),
  }));
  const timeline = radios("timeline", text.serial, options, (film) => other.show(film.film_url, text.serialFilm(film)));
  timeline.element.insertBefore(h("span", { class: "now" }, text.thisFilm), timeline.element.children[place] ?? null);
  const dialog = h("dialog", { class: "serial", "aria-label": text.serialTitle });
  const close = command(text.close, "Esc", () => dialog.close(), "quiet");
  dialog.append(
    h("header", {}, h("h1", {}, text.serialTitle), timeline.element, close),
    h("div", { class: "films" }, present.element, other.element),
  );
  dialog.addEventListener("close", () => {
    dialog.remove();
    pictures.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (!closes(event.code)) return;
    event.stopPropagation();
    dialog.close();
  });
  const first = nearest(others);
  timeline.check(first);
  timeline.inputs[others.indexOf(first)].autofocus = true;
  present.show(films[place].film_url, text.thisFilm);
  other.show(first.film_url, text.serialFilm(first));
  return dialog;
}

/** The last film before the present one, else the first. */
export function nearest(others: readonly SerialFilm[]): SerialFilm {
  return others.findLast(({ order }) => order === "before") ?? others[0];
}

/** A film with its caption, under the grey window of the reading screen. */
class Picture {
  private readonly image = h("img");
  private readonly caption = h("figcaption", { "aria-live": "polite" });
  readonly element = h("figure", {}, this.image, this.caption);
  private wanted = "";

  constructor(private readonly pictures: Pictures) {
    // Through the object model: one filter serves all films, and the policy forbids style attributes.
    this.image.style.filter = "url(#window)";
  }

  show(url: string, caption: string): void {
    this.wanted = url;
    this.image.alt = caption;
    this.image.removeAttribute("src");
    this.caption.textContent = text.loading;
    void this.pictures.of(url).then(
      (picture) => this.paint(url, picture, caption),
      (error: unknown) => this.paint(url, "", error instanceof Refused ? error.message : text.unpaintable),
    );
  }

  private paint(url: string, picture: string, caption: string): void {
    if (url !== this.wanted) return;
    if (picture) this.image.src = picture;
    this.caption.textContent = caption;
  }
}

/** What was fetched, until the dialog closes. */
class Pictures {
  private readonly asked = new Map<string, Promise<string>>();

  constructor(private readonly fetchFilm: Fetch) {}

  of(url: string): Promise<string> {
    const asked = this.asked.get(url) ?? this.fetchFilm(url).then((blob) => URL.createObjectURL(blob));
    this.asked.set(url, asked);
    return asked;
  }

  close(): void {
    for (const asked of this.asked.values()) void asked.then(URL.revokeObjectURL, () => undefined);
  }
}
