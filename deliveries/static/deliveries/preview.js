/* Beside a route's form: which of the latest events it would take, as its globs and its filter are typed. */
"use strict";

(function () {
    const PAUSE_MS = 350;

    function start(form) {
        let timer = null;
        let asked = 0;

        function look() {
            const number = ++asked;
            const body = new URLSearchParams();
            for (const name of ["csrfmiddlewaretoken", "events", "filter"]) {
                body.set(name, form.elements[name].value);
            }
            fetch(form.dataset.preview, { method: "POST", body, credentials: "same-origin" }).then((answer) => {
                if (!answer.ok || answer.redirected) {
                    throw new Error(String(answer.status));
                }
                return answer.text();
            }).then((text) => {
                const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-preview-part]");
                const part = form.querySelector("[data-preview-part]");
                if (number === asked && fresh && part.innerHTML !== fresh.innerHTML) {
                    part.replaceChildren(...fresh.childNodes);
                }
            }, () => {});
        }

        form.addEventListener("input", (event) => {
            if (["events", "filter"].includes(event.target.name)) {
                clearTimeout(timer);
                timer = setTimeout(look, PAUSE_MS);
            }
        });
    }

    document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("form[data-preview]").forEach(start));
}());
