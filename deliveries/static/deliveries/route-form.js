/* A route's form: the inputs of its handler's config, exchanged as another handler is chosen, or JSON. */
"use strict";

(function () {
    function start(place) {
        const form = document.getElementById("route_form");
        let asked = 0;

        function exchange(order, focused) {
            const number = ++asked;
            const body = new URLSearchParams();
            for (const [name, value] of new FormData(form)) {
                if (typeof value === "string") {
                    body.append(name, value);
                }
            }
            body.set("_config_as", order);
            fetch(place.dataset.configForm, { method: "POST", body, credentials: "same-origin" }).then((answer) => {
                if (!answer.ok || answer.redirected) {
                    throw new Error(String(answer.status));
                }
                return answer.text();
            }).then((text) => {
                const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("[data-config-part]");
                const part = form.querySelector("[data-config-part]");
                if (number !== asked || !fresh || !part) {
                    return;
                }
                part.replaceWith(fresh);
                fresh.querySelector("[name=config_form]").dispatchEvent(new Event("input", { bubbles: true }));
                if (focused) {
                    const first = fresh.querySelector("input:not([type=hidden]), select, textarea, button");
                    first.focus();
                }
            }, () => {});
        }

        function isWritten() {
            const field = form.elements.config;
            return field && field.value.trim() !== "" && field.value !== field.dataset.offered;
        }

        form.addEventListener("change", (event) => {
            if (event.target.name === "handler") {
                exchange(isWritten() ? "json" : "form", false);
            }
        });
        form.addEventListener("click", (event) => {
            const button = event.target.closest("button[data-config-as]");
            if (button) {
                event.preventDefault();
                exchange(button.dataset.configAs, true);
            }
        });
    }

    document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-config-form]").forEach(start));
}());
