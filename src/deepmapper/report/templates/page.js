// Inside Snakemake's report the page is no longer in its folder, so links to files beside it become plain text.
if (location.protocol === "data:" || location.protocol === "blob:" || location.pathname.includes("/data/raw/")) {
  for (const link of document.querySelectorAll("a.file")) {
    const name = document.createElement("span");
    name.textContent = link.textContent;
    name.title = decodeURIComponent(link.getAttribute("href")) + " in the results folder";
    link.replaceWith(name);
  }
  if (innerWidth < 700) document.body.style.paddingTop = "2rem";  // below the button that opens the menu
  for (const line of document.querySelectorAll("[data-moved]")) line.textContent = line.dataset.moved;
}
