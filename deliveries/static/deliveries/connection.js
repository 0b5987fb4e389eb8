// Shows the credentials that belong to the chosen proof, the proofs that belong to the chosen kind, and no others, and
// what address and settings of it look like. Without it all are there.
(() => {
  const auth = document.getElementById("id_auth");
  if (!auth || !auth.dataset.proofs) return;
  const proofs = JSON.parse(auth.dataset.proofs);
  const settings = JSON.parse(auth.dataset.settings);
  const names = new Set(Object.values(proofs).flat());
  const fields = {
    address: document.getElementById("id_base_url"),
    settings: document.getElementById("id_auth_settings"),
  };
  const show = () => {
    for (const name of names) {
      const row = document.querySelector(`.field-credential_${name}`);
      if (row) row.hidden = !(proofs[auth.value] || []).includes(name);
    }
    if (fields.settings) fields.settings.placeholder = settings[auth.value] || "";
  };
  auth.addEventListener("change", show);
  const kind = document.getElementById("id_kind");
  if (kind && kind.dataset.kinds) {
    const kinds = JSON.parse(kind.dataset.kinds);
    const narrow = () => {
      const chosen = kinds[kind.value];
      if (!chosen) return;
      for (const option of auth.options) option.hidden = option.disabled = !chosen.proofs.includes(option.value);
      if (fields.address) fields.address.placeholder = chosen.address;
    };
    kind.addEventListener("change", () => {
      narrow();
      const chosen = kinds[kind.value];
      if (chosen && !chosen.proofs.includes(auth.value)) auth.value = chosen.proof;
      show();
    });
    // What is stored stays to be seen, also where the kind takes it no more: a disabled option is not sent.
    const stored = auth.value;
    narrow();
    for (const option of auth.options) if (option.value === stored) option.hidden = option.disabled = false;
  }
  show();
})();
