"""Addresses of the incidents layer."""

from django.urls import URLPattern, path

from incidents.views import declare, drill, incidents, now, postmortem, room, sources, status

urlpatterns: list[URLPattern] = [
    path("", now.now, name="now"),
    path("first-run/hide", now.hide_first_run, name="hide_first_run"),
    path("drill", drill.start, name="drill"),
    path("i/", incidents.incidents, name="incidents"),
    path("i/incidents.csv", incidents.export, name="incidents_csv"),
    path("i/declare", declare.declare, name="declare"),
    path("i/declare/similar", declare.similar, name="declare_similar"),
    path("i/<int:number>/", room.room, name="room"),
    path("i/<int:number>/head", room.head, name="room_head"),
    path("i/<int:number>/timeline", room.timeline, name="room_timeline"),
    path("i/<int:number>/alerts", room.alerts, name="room_alerts"),
    path("i/<int:number>/acknowledge", room.acknowledge, name="acknowledge"),
    path("i/<int:number>/status", room.status, name="room_status"),
    path("i/<int:number>/severity", room.severity, name="room_severity"),
    path("i/<int:number>/resolve", room.resolve, name="room_resolve"),
    path("i/<int:number>/reopen", room.reopen, name="room_reopen"),
    path("i/<int:number>/role", room.role, name="room_role"),
    path("i/<int:number>/note", room.note, name="room_note"),
    path("i/<int:number>/comms", status.comms, name="room_comms"),
    path("i/<int:number>/update", status.update, name="room_update"),
    path("i/<int:number>/update/preview", status.preview, name="room_update_preview"),
    path("i/<int:number>/review", postmortem.review, name="review"),
    path("i/<int:number>/review/edit", postmortem.edit, name="review_edit"),
    path("i/<int:number>/review/preview", postmortem.preview, name="review_preview"),
    path("i/<int:number>/review/submit", postmortem.submit, name="review_submit"),
    path("i/<int:number>/review/decide", postmortem.decide, name="review_decide"),
    path("i/<int:number>/review/actions", postmortem.follow_up, name="follow_up"),
    path("i/<int:number>/review/actions/<int:action>", postmortem.follow_up_done, name="follow_up_done"),
    path("i/<int:number>/review.md", postmortem.export, name="review_export"),
    path("reviews/", postmortem.reviews, name="reviews"),
    path("status/", status.status_page, name="status"),
    path("sources/", sources.show, name="sources"),
    path("sources/add", sources.add, name="source_add"),
    path("sources/<int:pk>/rotate", sources.rotate, name="source_rotate"),
    path("sources/<int:pk>/enable", sources.enable, name="source_enable"),
]
