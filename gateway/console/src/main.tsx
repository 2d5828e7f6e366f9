import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/pages.css";
import "./styles/graph.css";
import "./styles/sources.css";
import "./styles/fleet.css";
import "./styles/analysis.css";
import "./styles/telemetry.css";
import "./styles/logs.css";
import "./styles/alerts.css";
import "./styles/executions.css";
import "./styles/workflows.css";
import "./styles/triggers.css";
import { router } from "./app/router";
import { keepRenewing, redeemTicket, takeTicket } from "./auth/sign-in";
import { isTransient } from "./rpc/errors";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (attempt, error) => attempt < 2 && isTransient(error),
      staleTime: 5_000,
    },
  },
});

// The ticket is taken before anything is drawn, so that it is in the address
// bar for as short a time as possible.
const ticket = takeTicket();
const ready = ticket ? redeemTicket(ticket) : Promise.resolve();
keepRenewing();

ready.then(() => {
  createRoot(document.getElementById("root") as HTMLElement).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
});
