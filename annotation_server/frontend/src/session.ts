/** The browser's session. It ends when the screen locks, and begins again at the same place with the password. */

/** Why a sign-in failed. */
export type Refusal = "password" | "tooOften" | "unreachable";

/** What one tab tells the others: whose session it began, and its token against cross-site requests. */
interface News {
  readonly reader: string;
  readonly token: string;
}

export class Session {
  private readonly channel = new BroadcastChannel("overread.session");

  /** `token` is the page's against cross-site requests; `login` and `logout` are addresses. */
  constructor(
    readonly reader: string,
    private token: string,
    private readonly login: string,
    private readonly logout: string,
  ) {}

  get csrfToken(): string {
    return this.token;
  }

  /** `begun` hears that the same reader has signed in in another tab. */
  listen(begun: () => void): void {
    this.channel.onmessage = ({ data }: MessageEvent<News>) => {
      if (data.reader !== this.reader) return;
      this.token = data.token;
      begun();
    };
  }

  /** Ends the session on the server. False if that could not be said to it; any answer means that this page has none. */
  async signOut(): Promise<boolean> {
    return (await this.post(this.logout, {})) !== null;
  }

  /** Begins a session of the same reader. Null if that succeeded. */
  async signIn(password: string): Promise<Refusal | null> {
    const page = await ask(this.login);
    if (!page?.ok) return "unreachable";
    this.token = tokenOf(await page.text());
    const answer = await this.post(this.login, { identity: this.reader, password });
    if (answer?.status === 403) return "password";
    if (answer?.status === 429) return "tooOften";
    if (!answer?.ok) return "unreachable";
    this.token = tokenOf(await answer.text());
    this.channel.postMessage({ reader: this.reader, token: this.token } satisfies News);
    return null;
  }

  private post(url: string, fields: Record<string, string>): Promise<Response | null> {
    return ask(url, { method: "POST", body: new URLSearchParams({ csrf_token: this.token, ...fields }) });
  }
}

const TIMEOUT_MS = 20_000;

/** Null if there is no answer. */
async function ask(url: string, init: RequestInit = {}): Promise<Response | null> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return fetch(url, { ...init, signal, cache: "no-store" }).catch(() => null);
}

/** The token that a page of the server carries. */
function tokenOf(page: string): string {
  const meta = new DOMParser().parseFromString(page, "text/html").querySelector('meta[name="csrf-token"]');
  return meta?.getAttribute("content") ?? "";
}
