/* The search over the cards of providers or handlers, as one types. Arrow keys go from card to card, "/" to the search, Enter in the
   search to the first card that is left. Without it the search is a form that the server answers. */
"use strict";

(function () {
    function start(picker) {
        const search = picker.querySelector("[data-picker-search]");
        const cards = [...picker.querySelectorAll("[data-picker-text]")];
        const count = picker.querySelector("[data-picker-count]");
        const none = picker.querySelector("[data-picker-none]");
        picker.querySelector("[data-picker-button]").hidden = true;

        const links = () => cards.filter((card) => !card.hidden).map((card) => card.querySelector("a")).filter(Boolean);

        function filter() {
            const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
            let left = 0;
            for (const card of cards) {
                card.hidden = !words.every((word) => card.dataset.pickerText.includes(word));
                left += card.hidden ? 0 : 1;
            }
            none.hidden = left > 0;
            count.textContent = words.length ? count.dataset.pickerCount.replace("{count}", left) : "";
        }

        // How many cards stand in a row is what the browser made of the width.
        function columns(shown) {
            const top = shown[0].getBoundingClientRect().top;
            const next = shown.findIndex((link) => link.getBoundingClientRect().top > top + 1);
            return next === -1 ? shown.length : next;
        }

        function onKey(event) {
            const shown = links();
            const at = shown.indexOf(document.activeElement);
            if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey) {
                event.preventDefault();
                search.focus();
                search.select();
            } else if (event.key === "ArrowDown" && document.activeElement === search && shown.length) {
                event.preventDefault();
                shown[0].focus();
            } else if (at !== -1) {
                const row = columns(shown);
                const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[event.key];
                if (step !== undefined) {
                    event.preventDefault();
                    (shown[at + step] || (step < 0 ? search : shown[shown.length - 1])).focus();
                }
            }
        }

        search.form.addEventListener("submit", (event) => {
            const [first] = links();
            event.preventDefault();
            if (first && search.value.trim()) {
                first.click();
            }
        });
        search.addEventListener("input", filter);
        document.addEventListener("keydown", onKey);
        filter();
    }

    document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-picker]").forEach(start));
}());
