// Sorting is in vendor/sortable.min.js: the button in a heading passes its click on.

// Printed pages show what is folded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((each) => { each.open = true; });
});
addEventListener("afterprint", () => folded.forEach((each) => { each.open = false; }));

// A link to something within a fold opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target?.closest("details");
  if (fold && !fold.open) {
    fold.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", unfold);
unfold();

// The navigation marks the part that is being read: the last one that begins above a line. This line is just below the
// navigation at the top of the page, and moves down with it, to the end of the window at the end of the page.
const links = [...document.querySelectorAll(".bar a")];
function mark() {
  const start = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) + 2;
  const share = scrollY / Math.max(1, document.documentElement.scrollHeight - innerHeight - 2);
  const line = start + Math.min(1, share) * (innerHeight - start);
  const above = links.filter((link) => document.querySelector(link.hash)?.getBoundingClientRect().top <= line);
  const current = above.at(-1) ?? links[0];
  links.forEach((link) => link.toggleAttribute("aria-current", link === current));
}
addEventListener("scroll", mark, { passive: true });
addEventListener("resize", mark);
mark();

// A figure that is clicked is shown large, to scroll in.
const large = document.getElementById("large");
document.addEventListener("click", (event) => {
  const image = event.target.closest(".enlarge")?.querySelector("img");
  if (image) {
    large.querySelector("div").replaceChildren(image.cloneNode());
    large.showModal();
  } else if (event.target === large) {
    large.close();
  }
});
