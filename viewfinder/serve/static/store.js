// What a reload keeps: media and turns, in this browser's IndexedDB. Where it is refused (a private window, a full disk)
// nothing is kept, and the page works on.
let database = null;

function opened() {
  database ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("viewfinder", 1);
    asked.onupgradeneeded = () => ["items", "turns"].forEach((name) => asked.result.createObjectStore(name, { keyPath: "id" }));
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return database;
}

async function within(name, mode, work) {
  try {
    const transaction = (await opened()).transaction(name, mode);
    const asked = work(transaction.objectStore(name));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } catch (error) {
    console.warn(`not kept over a reload: ${error}`);
    return null;
  }
}

const put = (name, value) => within(name, "readwrite", (store) => store.put(value));
const all = async (name) => (await within(name, "readonly", (store) => store.getAll())) ?? [];
export const forget = (name, id) => within(name, "readwrite", (store) => store.delete(id));
export const forgetAll = (name) => within(name, "readwrite", (store) => store.clear());

// The file itself is kept; its addresses are made anew.
export const keepItem = ({ url, uri, ...item }) => put("items", item);

// Items are named by their ids; nodes of the page are left out.
export function keepTurn({ id, task, question, results }) {
  const packed = results.map((result) => ({
    ...result, item: result.item?.id ?? null, items: result.items.map((item) => item.id), shown: result.shown.map((item) => item.id),
  }));
  return put("turns", { id, task, question, results: packed });
}

export async function keptItems() {
  return all("items");
}

export async function keptTurns(items) {
  const known = new Map(items.map((item) => [item.id, item]));
  const back = (ids) => ids.map((id) => known.get(id)).filter(Boolean);
  return (await all("turns")).map((turn) => ({
    ...turn,
    results: turn.results.map((result) => ({
      ...result, item: known.get(result.item) ?? null, items: back(result.items), shown: back(result.shown),
      status: ["waiting", "running"].includes(result.status) ? "stopped" : result.status,
    })),
  }));
}
