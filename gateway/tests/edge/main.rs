//! The edge, from outside: a service with every shape of contract behind a real gateway.

mod connect;
mod contracts;
mod cross_origin;
mod foreign;
mod fuzz;
mod grpc;
mod grpc_web;
mod hostile_json;
mod matrix;
mod mcp;
mod openapi;
mod pages;
mod rest_body;
mod rest_errors;
mod rest_paths;
mod rest_query;
mod rest_streams;
mod rules;
mod support;
mod upstream;
mod websocket;
mod websocket_bounds;
mod websocket_sessions;
