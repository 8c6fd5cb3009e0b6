/** Every page but the reading screen: Bootstrap's look, and htmx for the parts that refresh themselves. */

import "bootstrap/dist/css/bootstrap.min.css";
import "./site.css";
import "htmx.org";

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content;
  if (token) (event as CustomEvent<{ headers: Record<string, string> }>).detail.headers["X-CSRFToken"] = token;
});
