// The alerts of a project as they are now, for as long as somebody looks.
import { useEffect, useState } from "react";
import type { WatchAlertsResponse } from "../gen/weft/telemetry/v1/alert_service_pb";
import { follow } from "../rpc/follow";
import { liveAlerts } from "../rpc/telemetry";

export interface Alerts {
  now: WatchAlertsResponse | null;
  error: unknown;
}

const NOTHING: Alerts = { now: null, error: null };

export function useAlerts(project: string): Alerts {
  const [alerts, setAlerts] = useState(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    setAlerts(NOTHING);
    void follow(
      {
        name: "alerts",
        open: (signal) => liveAlerts.watchAlerts({ parent: `projects/${project}` }, { signal }),
        heard: (now) => setAlerts({ now, error: null }),
        failed: (error) => setAlerts({ now: null, error }),
      },
      stop.signal,
    );
    return () => stop.abort();
  }, [project]);
  return alerts;
}
