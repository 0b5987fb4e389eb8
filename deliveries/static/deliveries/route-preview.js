/* Below a route's form: what its expressions find in a stored event and what its handler would do, as one types. */
"use strict";

(function () {
    const PAUSE_MS = 350;
    const FIELDS = /^(filter|handler|ordering_key|config(_form|-.*)?)$/;

    function start(panel) {
        const form = document.getElementById("route_form");
        if (!form) {
            return;
        }
        let timer = null;
        let asked = 0;

        function look() {
            const number = ++asked;
            const body = new URLSearchParams();
            for (const [name, value] of new FormData(form)) {
                if (name === "csrfmiddlewaretoken" || FIELDS.test(name)) {
                    body.set(name, value);
                }
            }
            body.set("endpoint", form.elements.endpoint ? form.elements.endpoint.value : panel.dataset.endpoint);
            body.set("route", panel.dataset.route);
            const event = panel.querySelector("select[name=event]");
            body.set("event", event ? event.value : "");
            panel.hidden = !body.get("endpoint");
            if (panel.hidden) {
                return;
            }
            fetch(panel.dataset.routePreview, { method: "POST", body, credentials: "same-origin" }).then((answer) => {
                if (!answer.ok || answer.redirected) {
                    throw new Error(String(answer.status));
                }
                return answer.text();
            }).then((text) => {
                const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-preview-part]");
                const part = panel.querySelector("[data-preview-part]");
                if (number === asked && fresh && part.innerHTML !== fresh.innerHTML) {
                    part.replaceChildren(...fresh.childNodes);
                }
            }, () => {});
        }

        function soon() {
            clearTimeout(timer);
            timer = setTimeout(look, PAUSE_MS);
        }

        form.addEventListener("input", (event) => FIELDS.test(event.target.name) && soon());
        form.addEventListener("change", (event) => (FIELDS.test(event.target.name) || event.target.name === "endpoint") && soon());
        panel.addEventListener("change", soon);
        look();
    }

    document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-route-preview]").forEach(start));
}());
