
"use strict";
(() => {
  const tools = document.querySelector(".tools");
  const input = tools.querySelector("input");
  const hits = tools.querySelector(".hits");
  const objects = [...document.querySelectorAll(".object")];
  const headline = (object) => [...object.closest(".component").querySelectorAll("h2, .pin")].map((e) => e.textContent).join(" ");
  const texts = objects.map((object) => (headline(object) + " " + object.textContent).toLowerCase());
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    objects.forEach((object, i) => {
      const match = words.every((word) => texts[i].includes(word));
      object.classList.toggle("away", !match);
      found += match ? 1 : 0;
    });
    for (const block of document.querySelectorAll(".block")) {
      block.classList.toggle("away", words.length > 0 && !block.querySelector(".object:not(.away)"));
    }
    for (const component of document.querySelectorAll(".component")) {
      component.classList.toggle("away", words.length > 0 && !component.querySelector(".object:not(.away)"));
    }
    hits.textContent = words.length ? `${found} of ${objects.length} objects` : "";
  };
  input.addEventListener("input", search);
  for (const button of tools.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      for (const details of document.querySelectorAll("main details")) details.open = button.dataset.fold === "open";
    });
  }
  tools.hidden = false;
})();
