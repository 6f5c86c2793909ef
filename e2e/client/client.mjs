// Client calls the API as one user, for programs that are not browsers: it sends
// the access token, renews the tokens after a 401, once for all waiting calls, and
// retries once. client.go is the same in Go.
export class Client {
  #base; #access; #refresh; #renewing;

  constructor(base) { this.#base = base; }

  async login(identifier, password) {
    await this.#exchange("/users/login", { identifier, password });
  }

  async call(method, path, body) {
    const used = this.#access;
    const answer = await this.#send(method, path, body, used);
    if (answer.status !== 401) return answer;
    await this.#renew(used);
    return this.#send(method, path, body, this.#access);
  }

  #renew(failed) {
    if (this.#access !== failed) return; // another call has already renewed them
    this.#renewing ??= this.#exchange("/users/regenerate-tokens", { RefreshToken: this.#refresh })
      .finally(() => { this.#renewing = undefined; });
    return this.#renewing;
  }

  async #exchange(path, body) {
    const answer = await this.#send("POST", path, body);
    if (!answer.ok) throw new Error(`log in again: ${answer.status}`);
    const { data } = await answer.json();
    this.#access = data.accessToken;
    this.#refresh = data.refreshToken;
  }

  #send(method, path, body, access) {
    const headers = { "Content-Type": "application/json" };
    if (access) headers.Authorization = `Bearer ${access}`;
    return fetch(this.#base + path, { method, headers, body: body && JSON.stringify(body) });
  }
}
