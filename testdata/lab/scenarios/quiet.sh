# what: four minutes of an ordinary day
# members: any
# slow: yes
# incidents: 0
sleep 240
