const every = 120_000; // ms

// enhance keeps the number of unread notifications up to date while the page is visible.
export function enhance(bell) {
  const count = bell.querySelector("[data-unread]");
  const words = count.nextElementSibling;
  let stopped = false;

  const ask = async () => {
    if (document.hidden || stopped) return;
    try {
      const answer = await fetch("/notifications?limit=1", { headers: { Accept: "application/json" } });
      stopped = answer.status === 401; // logged out in another tab
      if (!answer.ok) return;
      show((await answer.json()).data.unreadCount);
    } catch {
      // try again next time
    }
  };
  const show = (n) => {
    count.dataset.unread = n;
    count.hidden = n === 0;
    count.textContent = n > 99 ? "99+" : n;
    words.textContent = n === 0 ? "none unread" : " unread";
  };

  setInterval(ask, every);
  document.addEventListener("visibilitychange", ask);
  document.addEventListener("unread", (event) => show(event.detail)); // changed by this page
}
