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

// The navigation marks the part that is being read: the last one that begins above the middle of the window.
const links = [...document.querySelectorAll(".bar a")];
function mark() {
  const above = links.filter((link) => {
    const part = document.querySelector(link.hash);
    return part && part.getBoundingClientRect().top < innerHeight / 2;
  });
  const current = scrollY + innerHeight >= document.body.scrollHeight - 2 ? links.at(-1) : above.at(-1) ?? links[0];
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
