import type { SavedEvent, SavedHistory } from "./releases.ts";

type Payloads = { payloads?: { data?: string }[] };
type Named = { name?: string };
/** Those attributes of history events, of all kinds, from which a shape is derived. */
type Attributes = {
  workflowType?: Named;
  activityType?: Named;
  input?: Payloads;
  result?: Payloads;
  details?: Record<string, Payloads>;
  signalName?: string;
  scheduledEventId?: string;
};
type Input = {
  recordId?: string | null;
  files?: true;
  sent?: object;
  object?: number;
  objectsEnd?: number;
};
type Result = {
  kind?: string;
  again?: number;
  total?: number;
  failed?: number;
  linked?: number;
};

/** What distinguishes runs for a replay: the type of the workflow, and the features of its history. */
export type Shape = { type: string; features: Set<string> };

const valuesOf = (payloads?: Payloads): unknown[] =>
  (payloads?.payloads ?? []).map(({ data }) =>
    data ? (JSON.parse(Buffer.from(data, "base64").toString("utf8")) as unknown) : null,
  );

function attributesOf(event: SavedEvent): Attributes {
  const key = Object.keys(event).find((name) => name.endsWith("EventAttributes"));
  return (key ? event[key] : {}) as Attributes;
}

/** Features that follow from the kind of an event alone, by that kind. */
const KINDS: Record<string, string> = {
  TIMER_STARTED: "timer",
  TIMER_CANCELED: "timer cancelled",
  ACTIVITY_TASK_FAILED: "activity failed",
  CHILD_WORKFLOW_EXECUTION_STARTED: "child",
  CHILD_WORKFLOW_EXECUTION_TERMINATED: "child broke",
  SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: "signals a child",
  WORKFLOW_EXECUTION_CANCEL_REQUESTED: "cancelled",
  WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "goes on as new",
  WORKFLOW_EXECUTION_COMPLETED: "completed",
  WORKFLOW_EXECUTION_FAILED: "failed",
};

export function shapeOf({ history: { events } }: SavedHistory): Shape {
  const features = new Set<string>();
  const activities = new Map<string, string>();
  const [first] = events;
  for (const event of events) {
    const kind = event.eventType.replace("EVENT_TYPE_", "");
    const attributes = attributesOf(event);
    const name = attributes.activityType?.name;
    if (KINDS[kind]) features.add(KINDS[kind]);
    if (kind === "WORKFLOW_EXECUTION_STARTED") inputFeatures("", attributes, features);
    if (kind === "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
      inputFeatures("child: ", attributes, features);
    if (kind === "WORKFLOW_EXECUTION_SIGNALED")
      features.add(`signal ${attributes.signalName}`);
    if (kind === "MARKER_RECORDED")
      for (const value of valuesOf(attributes.details?.["patch-data"]))
        features.add(`patch ${(value as { id?: string }).id}`);
    if (kind === "ACTIVITY_TASK_SCHEDULED" && name) {
      activities.set(String(event["eventId"]), name);
      features.add(name);
      if (
        name === "cutBatches" &&
        (valuesOf(attributes.input)[0] as { most?: number }).most === 1
      )
        features.add("probes");
    }
    if (kind === "ACTIVITY_TASK_COMPLETED")
      resultFeatures(
        activities.get(attributes.scheduledEventId ?? "") ?? "",
        attributes,
        features,
      );
  }
  return { type: (first && attributesOf(first).workflowType?.name) ?? "", features };
}

function inputFeatures(of: string, { input }: Attributes, features: Set<string>): void {
  const [value] = valuesOf(input) as [Input | undefined];
  if (value === undefined) return;
  if (value.recordId === null) features.add(`${of}fired`);
  if (value.sent) features.add(`${of}has sent some`);
  if (value.object === undefined) return;
  const objects = (value.objectsEnd ?? 0) - value.object;
  features.add(
    `${of}${objects > 1 ? "several objects" : value.files ? "files" : "images"}`,
  );
}

function resultFeatures(
  activity: string,
  { result }: Attributes,
  features: Set<string>,
): void {
  const [value] = valuesOf(result) as [Result | null | undefined];
  if (activity === "beginRun" || activity === "beginDrain")
    features.add(`${activity}: ${value?.kind}`);
  if (activity === "transferBatch" && value?.again) features.add("again");
  if (activity === "transferBatch" && value?.failed) features.add("some failed");
}
