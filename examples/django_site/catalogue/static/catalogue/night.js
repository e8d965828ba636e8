// Switches between day and night, and remembers it.
const root = document.documentElement;
const button = document.getElementById("night");

function show(night) {
  root.classList.toggle("night", night);
  button.textContent = night ? "Day" : "Night";
  localStorage.setItem("night", night ? "1" : "");
}

button.addEventListener("click", () => show(!root.classList.contains("night")));
show(Boolean(localStorage.getItem("night")));
