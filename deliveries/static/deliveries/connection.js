// Shows the credentials that belong to the chosen proof, and no others. Without it all are there.
(() => {
  const auth = document.getElementById("id_auth");
  if (!auth || !auth.dataset.proofs) return;
  const proofs = JSON.parse(auth.dataset.proofs);
  const names = new Set(Object.values(proofs).flat());
  const show = () => {
    for (const name of names) {
      const row = document.querySelector(`.field-credential_${name}`);
      if (row) row.hidden = !(proofs[auth.value] || []).includes(name);
    }
  };
  auth.addEventListener("change", show);
  show();
})();
