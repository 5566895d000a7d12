// A, B: surfaces; cells: [x, y on A, x, y on B, side, coefficient, turn in degrees, congruent]; lengths in micrometres.
const size=560,margin=14,foot=34;
const pixels=s=>{const d=atob(s.d),c=document.createElement('canvas');c.width=s.w;c.height=s.h;
 const x=c.getContext('2d'),i=x.createImageData(s.w,s.h);
 for(let k=0;k<d.length;k++){const v=d.charCodeAt(k);i.data.set([v,v,v,v?255:0],4*k)}
 x.putImageData(i,0,0);s.bytes=d;return c};
const pa=pixels(A),pb=pixels(B);
// Where a place of B lies on A.
const cos=Math.cos(turn),sin=Math.sin(turn);
const onA=(u,v)=>{const p=u-B.c[0],q=v-B.c[1];return[A.c[0]+shift[0]+cos*p+sin*q,A.c[1]+shift[1]-sin*p+cos*q]};
// One frame for all pictures: everything measured on either, as it lies on A, and all cells.
const box=[1e9,1e9,-1e9,-1e9];
const reach=(s,to)=>{for(let y=0;y<s.h;y+=3)for(let x=0;x<s.w;x+=3)if(s.bytes.charCodeAt(y*s.w+x)){
 const[u,v]=to(s.o+x*s.p,s.o+y*s.p);box[0]=Math.min(box[0],u);box[1]=Math.min(box[1],v);box[2]=Math.max(box[2],u);box[3]=Math.max(box[3],v)}};
reach(A,(u,v)=>[u,v]);reach(B,onA);
cells.forEach(c=>[0,1].forEach(k=>{box[k]=Math.min(box[k],c[k]-c[4]/2);box[k+2]=Math.max(box[k+2],c[k]+c[4]/2)}));
const scale=Math.min((size-2*margin)/(box[2]-box[0]),(size-margin-foot)/(box[3]-box[1]));
const left=size/2-scale*(box[0]+box[2])/2,top_=(size-foot+margin)/2-scale*(box[1]+box[3])/2;
const of=id=>document.getElementById(id).getContext('2d');
const frame=x=>x.setTransform(scale,0,0,scale,left,top_);
const drawA=x=>{frame(x);x.drawImage(pa,A.o,A.o,A.w*A.p,A.h*A.p)};
const drawB=x=>{frame(x);x.translate(A.c[0]+shift[0],A.c[1]+shift[1]);x.rotate(-turn);x.translate(-B.c[0],-B.c[1]);
 x.drawImage(pb,B.o,B.o,B.w*B.p,B.h*B.p)};
const write=(x,text,u,v,colour,font)=>{x.font=font||'bold 12px system-ui,sans-serif';x.textAlign='center';x.textBaseline='middle';
 x.lineWidth=3;x.lineJoin='round';x.strokeStyle='#000c';x.strokeText(text,u,v);x.fillStyle=colour;x.fillText(text,u,v)};
const GREEN='#3ee86b',GREY='#c8c8c8';
const outline=(x,u,v,side,by,on)=>{frame(x);x.save();x.translate(u,v);x.rotate(by);x.lineWidth=(on?2:1)/scale;
 x.strokeStyle=on?GREEN:GREY;x.setLineDash(on?[]:[4/scale,4/scale]);x.strokeRect(-side/2,-side/2,side,side);x.restore()};
const label=(x,u,v,text,colour)=>{x.setTransform(1,0,0,1,0,0);write(x,text,left+scale*u,top_+scale*v,colour)};
const bar=x=>{x.setTransform(1,0,0,1,0,0);const w=500*scale,y=size-14;x.fillStyle='#fff';x.fillRect(margin,y,w,3);
 x.font='12px system-ui,sans-serif';x.textAlign='left';x.textBaseline='alphabetic';x.fillText('500 µm',margin+w+6,y+5)};
let x=of('a');drawA(x);cells.forEach(c=>outline(x,c[0],c[1],c[4],0,c[7]));
cells.forEach((c,i)=>label(x,c[0],c[1],i+1,c[7]?GREEN:GREY));bar(x);
x=of('b');drawB(x);const placed=cells.map((c,i)=>[onA(c[2],c[3]),c,i+1]).filter(p=>p[1][7]);
placed.forEach(([p,c])=>outline(x,p[0],p[1],c[4],c[6]*Math.PI/180,1));
placed.forEach(([p,c,i])=>label(x,p[0],p[1],i,GREEN));bar(x);
// Cividis, eight steps: readable for every kind of colour sight.
const steps=[[0,32,76],[0,53,112],[60,77,110],[99,103,115],[131,129,121],[166,157,117],[205,187,105],[255,234,70]];
const colour=r=>{const t=Math.max(0,Math.min(.9999,r))*7,i=Math.floor(t),f=t-i;
 return'rgb('+[0,1,2].map(k=>Math.round(steps[i][k]*(1-f)+steps[i+1][k]*f)).join(' ')+')'};
x=of('m');cells.forEach(c=>{frame(x);x.fillStyle=colour(c[5]);x.fillRect(c[0]-c[4]/2,c[1]-c[4]/2,c[4],c[4])});
cells.forEach(c=>{outline(x,c[0],c[1],c[4]-2/scale,0,c[7]);label(x,c[0],c[1],c[5].toFixed(2),'#fff')});
x.setTransform(1,0,0,1,0,0);for(let i=0;i<200;i++){x.fillStyle=colour(i/199);x.fillRect(size/2-100+i,size-18,1.5,10)}
x.fillStyle='#fff';x.font='12px system-ui,sans-serif';x.textBaseline='middle';x.textAlign='right';x.fillText('0',size/2-106,size-13);
x.textAlign='left';x.fillText('1',size/2+106,size-13);
const t=document.getElementById('t');
const draw=()=>{const x=of('s');x.setTransform(1,0,0,1,0,0);x.globalAlpha=1;x.clearRect(0,0,size,size);
 x.globalAlpha=1-t.value/100;drawA(x);x.globalAlpha=t.value/100;drawB(x);x.globalAlpha=1;bar(x)};
t.oninput=draw;draw();
let up=1;
if(!matchMedia('(prefers-reduced-motion: reduce)').matches){
 const run=setInterval(()=>{t.value=+t.value+2*up;if(t.value>=100||t.value<=0)up=-up;draw()},60);
 t.onpointerdown=()=>clearInterval(run)}
