// Steps back and forward. What is typed into one place in one go is one step.
export class History<T> {
  private past: T[] = [];
  private future: T[] = [];
  private last: { place: string; at: number } | undefined;

  constructor(
    private readonly most = 200,
    private readonly oneGoMs = 1_500,
  ) {}

  /** Something is about to change at a place; without a place it is always a step of its own. */
  before(now: T, place: string | undefined, at: number): void {
    const isSame = place !== undefined && this.last?.place === place && at - this.last.at < this.oneGoMs;
    this.last = place === undefined ? undefined : { place, at };
    this.future = [];
    if (isSame) return;
    this.past.push(now);
    if (this.past.length > this.most) this.past.shift();
  }

  undo(now: T): T | undefined {
    const before = this.past.pop();
    if (before === undefined) return undefined;
    this.last = undefined;
    this.future.push(now);
    return before;
  }

  redo(now: T): T | undefined {
    const next = this.future.pop();
    if (next === undefined) return undefined;
    this.last = undefined;
    this.past.push(now);
    return next;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }
}
